"""`vibes-pipeline persons import`: a file of the CRM's, row by row, to the exchange of CRM changes.

The way of a row: `source` (bytes) -> `lines` (text) -> `csv_rows` or `ndjson_rows` (a row) -> `columns` (a record) ->
`judging` (a change, or why it is refused) -> `chunks` -> `feeding` -> `publishing`. Beside it: `tally` and `duplicates`
(what was seen), `refusals` (the report), `state` (where to carry on), `progress` and `summary` (what is told). `run`
leads it all.
"""
