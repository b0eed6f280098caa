// Fires HTTP requests in a process of its own, so that making the load is not counted as CPU of anything measured.
import autocannon from 'autocannon';

process.on('message', async (options) => {
  const { requests, latency, duration, errors, timeouts, non2xx, ...rest } = await autocannon(options);
  process.send({
    kind: 'result',
    replies: rest['2xx'],
    failures: errors + timeouts + non2xx,
    elapsedMs: duration * 1000,
    sent: requests.sent,
    p50Ms: latency.p50,
    p99Ms: latency.p99,
  });
});
process.once('disconnect', () => process.exit(0));
process.send({ kind: 'ready' });
