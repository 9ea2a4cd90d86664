"""Brings the database to what a release needs, or back: ``migrate.py DATABASE forth|back``. A second run does no harm."""

import os
import sqlite3
import sys

database = sqlite3.connect(sys.argv[1])
with database:
    database.execute("create table if not exists pages (name text)")
    database.execute("create table if not exists migrations (tag text, way text)")
    columns = {row[1] for row in database.execute("pragma table_info(pages)")}
    wants_title = open("COLUMN").read().strip() == "title"
    if sys.argv[2] == "forth":
        if not list(database.execute("select 1 from pages")):
            database.execute("insert into pages values ('front')")
        if wants_title and "title" not in columns:
            database.execute("alter table pages add column title text default 'Front page'")
    elif wants_title and "title" in columns:
        database.execute("alter table pages drop column title")
    database.execute("insert into migrations values (?, ?)", (os.environ["DEPLOY_TAG"], sys.argv[2]))
database.close()
