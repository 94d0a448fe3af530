/** @file Sound from an address that a caller names: switched off unless asked for, and then not from private networks. */
import { lookup } from "node:dns";
import { get as getHttp } from "node:http";
import { get as getHttps } from "node:https";
import { BlockList, type LookupFunction, isIP } from "node:net";
import { ServiceError } from "../errors.ts";
import type { ResolvedOptions } from "../options.ts";

/** Options of {@link fetchAudio}. */
export interface FetchAudioOptions {
  readonly urls: ResolvedOptions["urls"];
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

const TIMEOUT_MS = 10_000;

/** Networks that are not the public internet (IANA special-purpose registries). */
const PRIVATE = new BlockList();
for (const [network, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
] as const)
  PRIVATE.addSubnet(network, bits, "ipv4");
// Of IPv6, only global unicast is public; of that, not what carries IPv4 inside.
const PUBLIC_V6 = new BlockList();
PUBLIC_V6.addSubnet("2000::", 3, "ipv6");
for (const [network, bits] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const)
  PRIVATE.addSubnet(network, bits, "ipv6");

/** Whether an address is outside the public internet. */
export function isPrivateAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  if (isIP(plain) === 4) return PRIVATE.check(plain, "ipv4");
  return isIP(plain) !== 6 || !PUBLIC_V6.check(plain, "ipv6") || PRIVATE.check(plain, "ipv6");
}

const refuse = (reason: string): ServiceError => new ServiceError("forbidden", `url: ${reason}`, { param: "url" });

/** Fetches a sound file; follows no redirect. Throws `forbidden`, `invalid_request`, `payload_too_large`. */
export async function fetchAudio(text: string, { urls, maxBytes, signal }: FetchAudioOptions): Promise<Uint8Array> {
  if (urls === "none") throw refuse("this server fetches nothing; send the sound itself");
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol) || url.username !== "" || url.password !== "")
    throw new ServiceError("invalid_request", "url: an http or https address without a user name is needed", {
      param: "url",
    });
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (urls === "public" && isIP(host) !== 0 && isPrivateAddress(host)) throw refuse(`${host} is a private address`);
  // The check is made on the very address that is connected to, so that a second look-up cannot give another one.
  const checked: LookupFunction = (name, options, callback) =>
    lookup(name, options, (error, address, family) => {
      const all = typeof address === "string" ? [address] : (address ?? []).map((a) => a.address);
      if (!error && urls === "public" && all.some(isPrivateAddress))
        return callback(refuse(`${name} has a private address`), "", 0);
      callback(error, address as string, family);
    });
  const get = url.protocol === "https:" ? getHttps : getHttp;
  return new Promise((resolve, reject) => {
    const request = get(
      url,
      { lookup: checked, signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) },
      (response) => {
        const parts: Buffer[] = [];
        let size = 0;
        if (response.statusCode !== 200) {
          response.destroy();
          return reject(
            new ServiceError("invalid_request", `url: was answered with status ${response.statusCode}`, {
              param: "url",
            }),
          );
        }
        response.on("data", (part: Buffer) => {
          parts.push(part);
          if ((size += part.length) > maxBytes)
            response.destroy(new ServiceError("payload_too_large", `url: more than ${maxBytes} bytes`));
        });
        response.on("end", () => resolve(Buffer.concat(parts)));
        response.on("error", fail);
      },
    );
    const fail = (error: Error): void =>
      reject(
        error instanceof ServiceError
          ? error
          : new ServiceError(
              "invalid_request",
              `url: could not be fetched (${(error as NodeJS.ErrnoException).code ?? error.name})`,
              { param: "url", cause: error },
            ),
      );
    request.on("error", fail);
  });
}
