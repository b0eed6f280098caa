// The naive reference: what a competent developer wires up in an afternoon to submit jobs and watch them live.
import { Queue, QueueEvents } from 'bullmq';
import Fastify from 'fastify';
import { Server } from 'socket.io';

const connection = { url: process.env.REDIS_URL };
const queue = new Queue('jobs', { connection });
const queueEvents = new QueueEvents('jobs', { connection });
const app = Fastify();
const io = new Server(app.server);

const jobBody = {
  type: 'object',
  required: ['name', 'data'],
  additionalProperties: false,
  properties: { name: { type: 'string', enum: ['noop', 'steps'] }, data: { type: 'object' } },
};
const accepted = { type: 'object', properties: { id: { type: 'string' } } };

app.post('/jobs', { schema: { body: jobBody, response: { 202: accepted } } }, async (request, reply) => {
  const job = await queue.add(request.body.name, request.body.data);
  return reply.code(202).send({ id: job.id });
});

const bulkReply = { type: 'object', properties: { ids: { type: 'array', items: { type: 'string' } } } };
app.post(
  '/jobs/bulk',
  { schema: { body: { type: 'array', items: jobBody }, response: { 202: bulkReply } } },
  async (request, reply) => {
    const jobs = await queue.addBulk(request.body);
    return reply.code(202).send({ ids: jobs.map(({ id }) => id) });
  },
);

app.get('/jobs/:id', async (request, reply) => {
  const job = await queue.getJob(request.params.id);
  if (!job) return reply.code(404).send({ error: 'not found' });
  const state = await job.getState();
  return { id: job.id, state, progress: job.progress, result: job.returnvalue, error: job.failedReason };
});

io.on('connection', (socket) => {
  socket.on('subscribe', (id, ack) => {
    socket.join(id);
    ack?.();
  });
  socket.on('unsubscribe', (id) => socket.leave(id));
});

queueEvents.on('progress', ({ jobId, data }, position) =>
  io.to(jobId).emit('progress', { id: jobId, progress: data, at: Number(position.split('-')[0]) }),
);
queueEvents.on('completed', ({ jobId, returnvalue }) => io.to(jobId).emit('completed', { id: jobId, returnvalue }));
queueEvents.on('failed', ({ jobId, failedReason }) => io.to(jobId).emit('failed', { id: jobId, failedReason }));

async function stop() {
  await io.close();
  await app.close();
  await queueEvents.close();
  await queue.close();
  process.exit(0);
}

process.once('SIGTERM', stop);
process.once('disconnect', stop);

await queueEvents.waitUntilReady();
const url = await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 3000) });
process.send?.({ kind: 'ready', url });
