"""Azure Table Storage and Azure Queue Storage over one SQLite file, for rehearsals without a subscription.

Two aiohttp applications, `tables.application` and `queues.application`, speak the services' REST protocols well enough
that the unchanged Azure SDKs work against them. Both keep their state in one `database.Database`.
"""
