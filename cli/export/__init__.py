"""`vibes-pipeline export`: events and the analysts' views as Parquet files, one directory a day."""
