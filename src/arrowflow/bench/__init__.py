"""What `arrowflow bench` measures and how it is told. Times nothing that it has not verified.

results     a measurement as a value and as a JSON file: lines, machine, versions
machine     which machine and which versions these are
rounds      works timed in turn
compare     two results side by side
chart       a result as text
plot        a result as SVG
rows        generated rows for windows, and operators fed with them
windows     windows alone, beside answers computed by polars
decode      JSON to columns, beside msgspec's answer
commits     records appended to a log, read back
jobs        a whole configuration beside a loop that only consumes
roster      the names a user can ask for
"""
