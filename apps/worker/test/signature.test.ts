import { parseSigningKey, webhookHeaders } from '../src/signature.ts';

test('signs as the Standard Webhooks specification does', () => {
  // The example of the specification's reference libraries.
  const key = parseSigningKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
  const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestampSeconds: 1614265330, body: '{"test": 2432232314}' };
  expect(webhookHeaders(message, key)).toEqual({
    'webhook-id': message.id,
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('identifies a message that it cannot sign', () => {
  const headers = webhookHeaders({ id: 'a', timestampSeconds: 1, body: '' }, undefined);
  expect(headers).toEqual({ 'webhook-id': 'a', 'webhook-timestamp': '1' });
});

test.each(['', 'short', 'whsec_', `whsec_${'é'.repeat(40)}`, Buffer.alloc(65).toString('base64')])(
  'refuses %j as a key',
  (secret) => expect(() => parseSigningKey(secret)).toThrow('expected whsec_ and the base64 of 24 to 64 random bytes'),
);
