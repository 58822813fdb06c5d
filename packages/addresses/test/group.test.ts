import { expect, test } from 'vitest';
import { addressGroup } from '../src/group.js';

test('IPv4 is the same in IPv6, and a /64 is one address, however it is written', () => {
  expect(addressGroup('10.0.0.5')).toBe('10.0.0.5');
  expect(addressGroup('::ffff:10.0.0.5')).toBe('10.0.0.5');
  expect(addressGroup('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
  expect(addressGroup('2001:DB8:1:2::9')).toBe('2001:db8:1:2::/64');
  expect(addressGroup('2001:db8::1')).toBe('2001:db8:0:0::/64');
  expect(addressGroup('::1')).toBe('0:0:0:0::/64');
  expect(addressGroup('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
});
