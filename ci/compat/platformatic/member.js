// @platformatic/kafka in a consumer group, a process of its own (see ../README.md for what members say). Its
// classic protocol is eager, and it tells of a rebalance by events.

const { Consumer, MessagesStreamModes, MessagesStreamFallbackModes } = require('@platformatic/kafka')

const options = JSON.parse(process.argv[2])
const owned = new Set()
const positions = new Map() // what is still to be committed

process.stdout.on('error', () => process.exit(1)) // nobody listens any more

function now() {
  return Number(process.hrtime.bigint())
}

function say(event, fields = {}) {
  process.stdout.write(JSON.stringify({ at: now(), event, ...fields }) + '\n')
}

function fail(event, error) {
  say(event, { text: String(error?.errors?.[0] ?? error).slice(0, 300) })
}

function drop() {
  if (owned.size > 0) say('revoked', { partitions: [...owned] })
  owned.clear()
}

function join({ assignments }) {
  drop()
  positions.clear() // it starts again from what is committed
  const mine = (assignments ?? []).find(({ topic }) => topic === options.topic)
  for (const partition of mine?.partitions ?? []) owned.add(partition)
  if (owned.size > 0) say('assigned', { partitions: [...owned] })
}

function deliver(message) {
  if (!owned.has(message.partition)) return // of an assignment that is over
  const offset = Number(message.offset)
  say('records', { partition: message.partition, first: offset, last: offset })
  positions.set(message.partition, offset + 1)
}

async function commit(consumer) {
  if (positions.size === 0 || owned.size === 0) return
  const offsets = new Map(positions)
  say('committing', { offsets: Object.fromEntries(offsets) })
  const began = now()
  const rest = { topic: options.topic, leaderEpoch: -1 }
  const wanted = [...offsets].map(([partition, offset]) => ({ ...rest, partition, offset: BigInt(offset) }))
  try {
    await consumer.commit({ offsets: wanted })
  } catch (error) {
    fail('error', error)
    return
  }
  say('committed', { offsets: Object.fromEntries(offsets), began })
  for (const [partition, offset] of offsets) if (positions.get(partition) === offset) positions.delete(partition)
}

async function main() {
  const consumer = new Consumer({
    clientId: options.name,
    groupId: options.group,
    bootstrapBrokers: [options.bootstrap],
    sessionTimeout: options.session_ms,
    rebalanceTimeout: options.session_ms,
    heartbeatInterval: options.heartbeat_ms,
    maxWaitTime: 100,
    autocommit: false,
  })
  consumer.on('consumer:group:join', join)
  consumer.on('consumer:group:rebalance', drop)
  consumer.on('error', error => fail('error', error))
  const { COMMITTED } = MessagesStreamModes
  const { EARLIEST } = MessagesStreamFallbackModes
  const stream = await consumer.consume({ topics: [options.topic], mode: COMMITTED, fallbackMode: EARLIEST })
  say('ready')
  stream.on('data', deliver)
  stream.on('error', error => {
    fail('fatal', error)
    process.exit(1)
  })
  const ticker = setInterval(() => commit(consumer), options.commit_ms)
  process.once('SIGTERM', async () => {
    clearInterval(ticker)
    stream.removeListener('data', deliver)
    stream.pause()
    await commit(consumer)
    drop()
    await consumer.close(true)
    say('left')
    process.exit(0)
  })
}

main().catch(error => {
  fail('fatal', error)
  process.exit(1)
})
