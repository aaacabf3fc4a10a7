// kafkajs in a consumer group, a process of its own (see ../README.md for what members say). It has only the eager
// protocol, and tells of a rebalance by events: it says when it joined and when it is about to join again.

const { Kafka, PartitionAssigners, logLevel } = require('kafkajs')

const options = JSON.parse(process.argv[2])
const owned = new Set()
const positions = new Map() // what is still to be committed
let stopping = false

process.stdout.on('error', () => process.exit(1)) // nobody listens any more
console.log = console.info = console.error

function now() {
  return Number(process.hrtime.bigint())
}

function say(event, fields = {}) {
  process.stdout.write(JSON.stringify({ at: now(), event, ...fields }) + '\n')
}

function fail(event, error) {
  say(event, { text: String(error).slice(0, 300) })
}

function drop(event) {
  if (owned.size > 0) say(event, { partitions: [...owned] })
  owned.clear()
}

async function commit(consumer) {
  if (positions.size === 0) return
  const offsets = new Map(positions)
  say('committing', { offsets: Object.fromEntries(offsets) })
  const began = now()
  const { topic } = options
  const wanted = [...offsets].map(([partition, offset]) => ({ topic, partition, offset: String(offset) }))
  try {
    await consumer.commitOffsets(wanted)
  } catch (error) {
    fail('error', error)
    return
  }
  say('committed', { offsets: Object.fromEntries(offsets), began })
  for (const [partition, offset] of offsets) if (positions.get(partition) === offset) positions.delete(partition)
}

function join({ payload }) {
  drop('revoked')
  const partitions = payload.memberAssignment[options.topic] ?? []
  positions.clear() // it starts again from what is committed
  for (const partition of partitions) owned.add(partition)
  if (partitions.length > 0) say('assigned', { partitions })
}

async function eachBatch({ batch, resolveOffset, heartbeat, isRunning, isStale }) {
  if (stopping || !isRunning() || isStale() || batch.messages.length === 0) return
  const last = Number(batch.lastOffset())
  say('records', { partition: batch.partition, first: Number(batch.messages[0].offset), last })
  positions.set(batch.partition, last + 1)
  resolveOffset(String(last))
  await heartbeat()
}

async function main() {
  const kafka = new Kafka({
    brokers: [options.bootstrap],
    clientId: options.name,
    logLevel: logLevel.ERROR,
    retry: { maxRetryTime: 1000, initialRetryTime: 100, retries: 100 },
  })
  const consumer = kafka.consumer({
    groupId: options.group,
    sessionTimeout: options.session_ms,
    heartbeatInterval: options.heartbeat_ms,
    rebalanceTimeout: options.session_ms,
    maxWaitTimeInMs: 100,
    partitionAssigners: [PartitionAssigners.roundRobin],
  })
  consumer.on(consumer.events.GROUP_JOIN, join)
  consumer.on(consumer.events.REBALANCING, () => drop('revoked'))
  consumer.on(consumer.events.CRASH, ({ payload }) => fail(payload.restart ? 'error' : 'fatal', payload.error))
  await consumer.connect()
  await consumer.subscribe({ topic: options.topic, fromBeginning: true })
  say('ready')
  const ticker = setInterval(() => commit(consumer), options.commit_ms)
  process.once('SIGTERM', async () => {
    clearInterval(ticker)
    stopping = true
    await commit(consumer)
    drop('revoked')
    await consumer.stop()
    await consumer.disconnect()
    say('left')
    process.exit(0)
  })
  await consumer.run({ autoCommit: false, eachBatch })
}

main().catch(error => {
  fail('fatal', error)
  process.exit(1)
})
