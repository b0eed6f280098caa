/** The processes of one system that run now, by their role: api, status, worker. */
export function openCast(stage, redis) {
  const actors = {};
  return {
    async start(role, file, env) {
      actors[role] = await stage.service(role, file, env);
    },
    async stop(...roles) {
      for (const role of roles) {
        await stage.stop(actors[role]);
        delete actors[role];
      }
    },
    /** Ends one as a crash would, and starts it again. */
    async crash(role, file, env) {
      await stage.crash(actors[role]);
      actors[role] = await stage.service(role, file, env);
    },
    child: (role) => actors[role]?.child,
    url: (role) => actors[role].ready.url,
    /** Process id by role, Redis included. */
    parts: () => ({ ...mapActors(actors, ({ pid }) => pid), redis: redis.pid }),
    /** Milliseconds from spawn to ready by role. */
    readyMs: () => mapActors(actors, ({ readyMs }) => readyMs),
  };
}

function mapActors(actors, change) {
  return Object.fromEntries(Object.entries(actors).map(([role, actor]) => [role, change(actor)]));
}
