"""The compatibility harness: real Kafka clients against a broker, every record compared.

Not a client and not a broker: it starts both and compares. First file to read: `matrix.py`.
"""
