"""A batch's plan against what happened, as geometry: no queries, no HTML, no reading of the time.

The upper track counts what was planned in each slice of time. The lower one depends on how many
executions are in view: up to ROWS_UP_TO a line each, up to DOTS_UP_TO a dot each, above that the
density of dots. Widths are per cent or thousandths, so that one drawing fits every page width.
"""
