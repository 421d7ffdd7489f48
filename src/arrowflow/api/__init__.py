"""What `import arrowflow as af` gives a program: windows without a broker, and pipelines tried on rows in memory.

spans       lengths of time as people write them
windows     one constructor for each kind of window
aggregates  one function for each aggregate
frames      Arrow from anyone: tables, batches, streams; event times out of them
partitions  who was met, how far each is, and where a new one joins
operator    `WindowOperator`: rows in, closed windows out
keeping     an operator's state as one table
drawing     `draw`: what falls where, seen through the operator
picture     rows and windows as SVG text
pipeline    `Pipeline` with `test`, and `load`
trial       a pipeline run on rows in memory, and what came of it
kafka       `read_kafka`: a stretch of a topic as record batches
messages    the source and the decoders of a trial
"""
