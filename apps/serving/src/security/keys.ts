/** @file API keys: only their SHA-256 is kept. Keys are long and random, so a slow hash would add nothing. */
import { createHash } from "node:crypto";
import { EmosllmError } from "@emosllm/interfaces";

/** A key that is accepted. */
export interface ApiKey {
  /** What logs call its owner. */
  readonly name: string;
  /** SHA-256 of the key, 64 hexadecimal digits. */
  readonly sha256: string;
  /** Whether it may reload bundles. */
  readonly admin: boolean;
}

/** The hash under which a key is kept. */
export const hashKey = (key: string): string => createHash("sha256").update(key).digest("hex");

/** A key given in clear text. Throws EmosllmError `usage` for one shorter than 8 characters. */
export function apiKey(key: string, { name = "default", admin = false } = {}): ApiKey {
  if (key.length < 8) throw new EmosllmError("usage", `An API key has ${key.length} characters; at least 8 are needed`);
  return { name, sha256: hashKey(key), admin };
}

/**
 * Reads lines `name sha256 [admin]`; empty lines and those that begin with # are passed over.
 * @throws EmosllmError `config_invalid` naming file and line.
 */
export function parseKeyFile(text: string, where: string): ApiKey[] {
  return text.split("\n").flatMap((line, i) => {
    if (line.trim() === "" || line.trimStart().startsWith("#")) return [];
    const [name = "", sha256 = "", role, ...rest] = line.trim().split(/\s+/);
    if (!/^[0-9a-f]{64}$/i.test(sha256) || (role !== undefined && role !== "admin") || rest.length > 0)
      throw new EmosllmError(
        "config_invalid",
        `${where}:${i + 1}: expected 'name sha256 [admin]' with 64 hexadecimal digits, e.g. from: printf %s KEY | sha256sum`,
      );
    return [{ name, sha256: sha256.toLowerCase(), admin: role === "admin" }];
  });
}

/** Finds the owner of a presented key. Looking up a hash tells nothing about the keys by its time. */
export function keyFinder(keys: readonly ApiKey[]): (presented: string) => ApiKey | undefined {
  const byHash = new Map(keys.map((k) => [k.sha256, k]));
  return (presented) => byHash.get(hashKey(presented));
}

/** The key of an `Authorization: Bearer` line. */
export const bearer = (header: string | null | undefined): string | undefined =>
  /^Bearer +(\S+)$/i.exec(header ?? "")?.[1];
