"""Real software around Kafka on one broker: Kafka Connect and Kafka Streams.

First file to read: `main.py`.
"""
