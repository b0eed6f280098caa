import { Type } from '@spillway/schema';
import type { App } from '../../app.ts';
import type { Services } from '../../services.ts';
import { problems, scoped } from '../schema.ts';

const WAIT = {
  pattern: '^([1-9][0-9]{2,6}|[1-7][0-9]{7}|8[0-5][0-9]{6}|86[0-3][0-9]{5}|86400000)$',
  'x-expected': 'a whole number from 100 to 86400000',
};

const schema = {
  operationId: 'readScaling',
  summary: 'Read what scaling needs',
  description:
    'What each queue was measured to do in the last ten seconds, and how many workers it needs so that jobs start within the target wait. The advice is what the moment asks for: whoever follows it should scale down slowly.',
  tags: ['queues'],
  querystring: Type.Object(
    {
      targetWaitMs: Type.Optional(
        Type.String({ ...WAIT, description: 'how long jobs may wait; as SPILLWAY_TARGET_WAIT_MS says where absent' }),
      ),
    },
    { additionalProperties: false },
  ),
  response: { 200: { description: 'All queues.', ...Type.Ref('ScalingReply') }, ...problems('invalid_request') },
};

export function readScaling(app: App, { scaling }: Services): void {
  app.get('/v1/scaling', { schema, config: scoped('read') }, async ({ query: { targetWaitMs } }) =>
    scaling(targetWaitMs === undefined ? undefined : Number(targetWaitMs)),
  );
}
