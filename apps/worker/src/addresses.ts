import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Whether a job may connect to an address that it reached under a host name. */
export type Permit = (host: string, address: string) => boolean;

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [Address, number];

/** Looks public and is not: the metadata service of Azure. The others' are link-local, private or shared addresses. */
const PUBLIC_LOOKING = new Set(['168.63.129.16']);
/** All of IPv6 that is routed in public; whatever lies outside is special or unassigned. */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3');
const NAT64 = ipaddr.parseCIDR('64:ff9b::/96');

/** Whether an IP address is one that anybody on the internet can reach. A text that is no address is not public. */
export function isPublic(address: string): boolean {
  return isIP(address) !== 0 && rangeOf(address) === 'public';
}

/** What kind of address it is, in a word: `public`, or why it is not. */
export function rangeOf(address: string): string {
  const effective = effectiveAddress(address);
  const range = effective.range();
  if (PUBLIC_LOOKING.has(effective.toString())) return 'metadata';
  if (range !== 'unicast') return range;
  return effective.kind() === 'ipv4' || effective.match(GLOBAL_IPV6) ? 'public' : 'special';
}

/** The address that packets end up at: IPv4 that is written as IPv6, mapped or behind the well-known NAT64 prefix, counts as IPv4. */
function effectiveAddress(address: string): Address {
  const parsed = ipaddr.process(address.replace(/%.*$/, ''));
  if (parsed.kind() === 'ipv6' && parsed.match(NAT64)) return ipaddr.fromByteArray(parsed.toByteArray().slice(12));
  return parsed;
}

/**
 * Reads SPILLWAY_ALLOW_PRIVATE: nothing (public addresses only), `true` (every address), or hosts, addresses and CIDR
 * ranges that are permitted beside public ones.
 * @throws TypeError saying which entry is none of these.
 */
export function parsePermit(entries: readonly string[]): Permit {
  if (entries.length === 1 && entries[0] === 'true') return () => true;
  const ranges: Range[] = [];
  const hosts = new Set<string>();
  for (const entry of entries.filter((entry) => entry !== 'false')) {
    const range = parseRange(entry);
    if (range) ranges.push(range);
    else hosts.add(parseHost(entry));
  }
  return (host, address) =>
    isPublic(address) || hosts.has(host.toLowerCase()) || ranges.some((range) => contains(range, address));
}

function parseRange(entry: string): Range | undefined {
  const text = entry.replace(/^\[(.*)\]$/, '$1');
  if (isIP(text)) {
    const address = effectiveAddress(text);
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  }
  return ipaddr.isValidCIDR(text) ? ipaddr.parseCIDR(text) : undefined;
}

function parseHost(entry: string): string {
  if (/^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/i.test(entry) && !/^[\d.]+$/.test(entry)) return entry.toLowerCase();
  throw new TypeError(
    `expected true, or hosts, addresses and CIDR ranges such as localhost,10.0.0.0/8, got ${JSON.stringify(entry)}`,
  );
}

function contains(range: Range, address: string): boolean {
  const effective = effectiveAddress(address);
  return effective.kind() === range[0].kind() && effective.match(range);
}
