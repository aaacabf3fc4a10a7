"""The differential test: the same requests to Apache Kafka and to Flumen, their answers compared field by field.

First file to read: `main.py`. Cases are plain functions that talk to one broker (`cases_*.py`); what they send is
encoded by Kafka's own schemas (`schema.py`), which lie in the clients' jar.
"""
