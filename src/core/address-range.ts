import { BlockList, isIP } from "node:net";

/**
 * Which hosts lie in an address range: IP addresses only, a name is never looked up.
 * @throws Error for what is no `address/bits`
 */
export function inAddressRange(cidr: string): (host: string) => boolean {
  const [address = "", bits = "", extra] = cidr.split("/");
  const family = isIP(address);
  if (family === 0 || extra !== undefined || !/^\d{1,3}$/.test(bits)) throw new Error(`Not an address range: ${cidr}`);
  const range = new BlockList();
  range.addSubnet(address, Number(bits), family === 4 ? "ipv4" : "ipv6");
  return (host) => isIP(host) === family && range.check(host, family === 4 ? "ipv4" : "ipv6");
}
