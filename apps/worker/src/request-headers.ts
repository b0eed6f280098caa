import { Type } from '@spillway/schema';

/** The sender of a request owns these: a job that sets them could forge a signature or smuggle a second request. */
const RESERVED = [
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'expect',
  'te',
  'trailer',
  'proxy-[^ ]*',
  'webhook-[^ ]*',
];
/** JSON Schema has no flag to ignore case. */
const anyCase = (pattern: string) => pattern.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
const TOKEN = "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}";

/** Headers that a job may add to a request: at most 50, no line breaks, none that belong to the connection or the signature. */
export const RequestHeaders = Type.Record(
  Type.String(),
  Type.String({ maxLength: 4096, pattern: '^[\\t\\x20-\\x7e\\x80-\\xff]*$', 'x-expected': 'one line of text' }),
  {
    maxProperties: 50,
    propertyNames: {
      pattern: `^(?!(${RESERVED.map(anyCase).join('|')})$)${TOKEN}$`,
      'x-expected':
        'a header name, and none of the connection (Host, Content-Length, …) or of the signature (Webhook-*)',
    },
  },
);
