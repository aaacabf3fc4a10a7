"""Real software around Kafka on one broker: Connect, Streams, MirrorMaker, command line tools.

First file to read: `main.py`.
"""
