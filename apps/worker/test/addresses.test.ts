import { isPublic, parsePermit, rangeOf } from '../src/addresses.ts';

test.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '2606:4700:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808'])(
  '%s is public',
  (address) => expect(isPublic(address)).toBe(true),
);

test.each([
  ['127.0.0.1', 'loopback'],
  ['0.0.0.0', 'unspecified'],
  ['10.1.2.3', 'private'],
  ['172.16.0.1', 'private'],
  ['192.168.1.1', 'private'],
  ['100.64.0.1', 'carrierGradeNat'],
  ['100.100.100.200', 'carrierGradeNat'],
  ['169.254.169.254', 'linkLocal'],
  ['168.63.129.16', 'metadata'],
  ['192.0.0.192', 'reserved'],
  ['198.18.0.1', 'reserved'],
  ['203.0.113.7', 'reserved'],
  ['224.0.0.1', 'multicast'],
  ['255.255.255.255', 'broadcast'],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['fe80::1%eth0', 'linkLocal'],
  ['fec0::1', 'deprecatedSiteLocal'],
  ['fd00:ec2::254', 'uniqueLocal'],
  ['ff02::1', 'multicast'],
  ['::ffff:127.0.0.1', 'loopback'],
  ['::ffff:a9fe:a9fe', 'linkLocal'],
  ['::127.0.0.1', 'loopback'],
  ['::7f00:1', 'special'],
  ['::ffff:0:127.0.0.1', 'rfc6145'],
  ['64:ff9b::7f00:1', 'loopback'],
  ['64:ff9b::a9fe:a9fe', 'linkLocal'],
  ['64:ff9b:1::1', 'rfc6052'],
  ['2002:7f00:1::', '6to4'],
  ['2001:0:1::', 'teredo'],
  ['2001:db8::1', 'reserved'],
  ['4000::1', 'special'],
])('%s is not public but %s', (address, range) => {
  expect(rangeOf(address)).toBe(range);
  expect(isPublic(address)).toBe(false);
});

test('permits public addresses only unless told otherwise', () => {
  const permit = parsePermit([]);
  expect(permit('example.com', '8.8.8.8')).toBe(true);
  expect(permit('localhost', '127.0.0.1')).toBe(false);
  expect(parsePermit(['false'])('localhost', '127.0.0.1')).toBe(false);
});

test('permits what is listed: hosts, addresses and ranges', () => {
  const permit = parsePermit(['Receiver.internal', '10.0.0.0/8', '[::1]', '192.168.1.7', 'fd00::/16']);
  expect(permit('receiver.INTERNAL', '172.17.0.2')).toBe(true);
  expect(permit('other.internal', '172.17.0.2')).toBe(false);
  expect(permit('any', '10.200.0.1')).toBe(true);
  expect(permit('any', '::ffff:10.200.0.1')).toBe(true);
  expect(permit('any', '::1')).toBe(true);
  expect(permit('any', '192.168.1.7')).toBe(true);
  expect(permit('any', '192.168.1.8')).toBe(false);
  expect(permit('any', 'fd00::1')).toBe(true);
  expect(permit('any', 'fd01::1')).toBe(false);
});

test('permits everything when told true', () => {
  expect(parsePermit(['true'])('any', '169.254.169.254')).toBe(true);
});

test.each(['10.0.0.0/33', '10.0.0', 'http://localhost', 'a b', '-'])('refuses the entry %s', (entry) => {
  expect(() => parsePermit([entry])).toThrow('expected true, or hosts, addresses and CIDR ranges');
});
