// kafkajs: produces only, for its consumer needs groups. One JSON request per line on stdin, one JSON answer
// per line on stdout (see ../README.md). kafkajs itself has gzip; the other codecs are plugins.

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'

const fs = require('fs')
const readline = require('readline')
const { Kafka, CompressionTypes, CompressionCodecs, logLevel } = require('kafkajs')
const SnappyCodec = require('kafkajs-snappy')
const { compressFrame, decompressFrame } = require('lz4-napi')
const { ZstdCodec } = require('zstd-codec')

const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}
const CHUNK = 250 // messages a request; kafkajs makes one batch per partition of them

CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => compressFrame(encoder.buffer),
  decompress: buffer => decompressFrame(buffer),
})

function installZstd() {
  return new Promise(resolve =>
    ZstdCodec.run(zstd => {
      const simple = new zstd.Simple()
      CompressionCodecs[CompressionTypes.ZSTD] = () => ({
        compress: async encoder => Buffer.from(simple.compress(encoder.buffer)),
        decompress: async buffer => Buffer.from(simple.decompress(buffer)),
      })
      resolve()
    })
  )
}

const decode = text => (text === null ? null : Buffer.from(text, 'base64'))

// kafkajs takes headers as an object: values of one name are a list, and null is not among them.
function headersOf(pairs) {
  const headers = {}
  for (const [name, value] of pairs) (headers[name] ??= []).push(decode(value))
  return headers
}

function messageOf(line) {
  const record = JSON.parse(line)
  return {
    partition: record.partition,
    key: decode(record.key),
    value: decode(record.value),
    headers: headersOf(record.headers),
    timestamp: String(record.timestamp),
  }
}

async function produce({ bootstrap, topic, codec, idempotent, records }) {
  const kafka = new Kafka({ brokers: [bootstrap], clientId: 'compat-kafkajs', logLevel: logLevel.ERROR })
  const producer = kafka.producer({ idempotent, allowAutoTopicCreation: false })
  await producer.connect()
  try {
    const messages = fs.readFileSync(records, 'utf8').trimEnd().split('\n').map(messageOf)
    for (let at = 0; at < messages.length; at += CHUNK) {
      const chunk = messages.slice(at, at + CHUNK)
      await producer.send({ topic, acks: -1, compression: CODECS[codec], messages: chunk })
    }
    return { count: messages.length }
  } finally {
    await producer.disconnect()
  }
}

async function main() {
  const answer = value => process.stdout.write(JSON.stringify(value) + '\n')
  console.log = console.info = console.error // kafkajs logs to stdout, which is the answers'
  await installZstd()
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { op, ...request } = JSON.parse(line)
    if (op !== 'produce') answer({ error: `kafkajs does not ${op}` })
    else answer(await produce(request).catch(error => ({ error: String(error) })))
  }
}

main()
