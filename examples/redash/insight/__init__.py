"""An application with the shape of Redash's: dashboards over queries over data sources.

19 mapped classes with 162 columns and 60 relationships, which SQLAlchemy configures when the first
of them is used. Importing the application does not use any.
"""
