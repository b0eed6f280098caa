// How a client learns of a job's end from each system.

const FINAL = new Set(['completed', 'failed', 'cancelled']);

export const dialects = {
  /** Rooms only: what was sent before the client joined is gone. */
  naive: {
    listen(socket, seen) {
      const ended = ({ id }) => {
        socket.emit('unsubscribe', id);
        seen(id);
      };
      socket.on('completed', ended);
      socket.on('failed', ended);
    },
    watch(socket, id) {
      socket.emit('subscribe', id);
    },
  },

  /** A snapshot answers each watch, events follow it, and the watch ends with its job. */
  spillway: {
    listen(socket, seen) {
      socket.on('events', (events) => {
        for (const event of events) if (FINAL.has(event.state)) seen(event.job);
      });
    },
    watch(socket, id, seen) {
      socket.emit('watch', { targets: [{ job: id }] }, ({ results, error }) => {
        const problem = error ?? results[0].error;
        if (problem) throw new Error(`watch ${id}: ${JSON.stringify(problem)}`);
        if (FINAL.has(results[0].snapshot.job.state)) seen(id);
      });
    },
  },
};
