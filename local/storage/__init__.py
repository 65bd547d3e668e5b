"""Azure Table, Queue and Blob Storage over one SQLite file, for rehearsals without a subscription.

Three aiohttp applications, `tables.application`, `queues.application` and `blobs.application`, speak the services' REST
protocols well enough that the unchanged Azure SDKs work against them. All keep their state in one `database.Database`.
"""
