import { call } from '@spillway/testkit';

/** The value of one series in /metrics, with all labels but `service` as they are written; 0 while there is none. */
export async function figure(url: string, name: string, labels = ''): Promise<number> {
  const { body } = await call<string>(url, 'GET', '/metrics');
  for (const line of body.split('\n')) {
    const [, series, inside = '', value] = /^(\w+)\{(.*)\} (\S+)$/.exec(line) ?? [];
    const others = inside.replace(/,?service="status",?/, '');
    if (series === name && others === labels) return Number(value);
  }
  return 0;
}
