"""Real software around Kafka on one broker: Connect, Streams, MirrorMaker, a schema registry, command line tools.

First file to read: `main.py`.
"""
