import type { App } from '../app.ts';
import type { Metrics } from '../metrics.ts';

type Observe = (seconds: number) => void;

export function registerMetrics(app: App, { requests }: Metrics): void {
  // Finding a series by its labels costs more than adding to it, and there are few: routes times statuses.
  const series = new Map<string, Observe>();
  app.addHook('onResponse', (request, reply, done) => {
    const { method } = request;
    const route = request.routeOptions.url ?? 'unknown';
    const status = reply.statusCode;
    const name = `${method} ${route} ${status}`;
    let observe = series.get(name);
    if (!observe) {
      const child = requests.labels({ method, route, status });
      observe = (seconds) => child.observe(seconds);
      series.set(name, observe);
    }
    observe(reply.elapsedTime / 1000);
    done();
  });
}
