"""The words of the engine's sentence, one file each; `arrowflow.engine.step` says them in order.

read -> decode -> transform -> advance -> stage -> commit -> check -> publish -> acknowledge, and recover
before the first. Each phase takes the `Job` (what a run owns) and the `Draft` (one epoch in the making).
"""
