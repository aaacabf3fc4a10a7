"""Real software around Kafka on one broker: Kafka Connect, Kafka Streams, MirrorMaker 2.

First file to read: `main.py`.
"""
