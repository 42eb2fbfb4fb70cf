import { hostname } from "node:os";
import { inspect, styleText } from "node:util";

import { isObject, type JsonObject, parseObject } from "../lib/json.ts";
import { type LogField, logFields } from "./log-fields.ts";

/** `json`: names of our own. `ecs`: those of the Elastic Common Schema. `text`: for people. */
export type LogFormat = "json" | "ecs" | "text";

export interface LogFormatOptions {
  readonly format: LogFormat;
  /** Of text: levels have colours. */
  readonly colours?: boolean | undefined;
  /** `service.name` of each line. */
  readonly service: string;
}

/** What of a line is different from format to format: chosen once, so that no line asks which it is. */
export interface LineShape {
  /** The same on every line. */
  readonly base: JsonObject | null;
  readonly messageKey: string;
  readonly timeKey: string;
  readonly levelKey: string;
  /** Stands before names that the format has no name for. */
  readonly prefix: string;
  /** Names the fields otherwise; undefined where they stay as they are. */
  readonly rename: ((fields: JsonObject) => Record<string, unknown>) | undefined;
  /** Makes the text of a line that was written as JSON; undefined where it is that. */
  readonly print: ((line: string) => string) | undefined;
}

export function lineShape({ format, colours = false, service }: LogFormatOptions): LineShape {
  const json: LineShape = {
    base: { "service.name": service, pid: process.pid, hostname: hostname() },
    messageKey: "msg",
    timeKey: "time",
    levelKey: "level",
    prefix: "",
    rename: undefined,
    print: undefined,
  };
  switch (format) {
    case "json":
      return json;
    case "ecs":
      return {
        base: {
          "ecs.version": ecsVersion,
          "service.name": service,
          "process.pid": process.pid,
          "host.name": hostname(),
        },
        messageKey: "message",
        timeKey: "@timestamp",
        levelKey: "log.level",
        prefix: ecsPrefix,
        rename: ecsFields,
        print: undefined,
      };
    case "text":
      return { ...json, base: null, print: (line) => textLine(line, colours) };
  }
}

const ecsVersion = "8.17.0";
const ecsPrefix = "presto_sidecar.";
const nsPerMs = 1e6;

const ecsNames: ReadonlyMap<string, string> = new Map(
  Object.entries(logFields).map(([name, field]) => [name, ecsNameOf(name, field)]),
);

/** The name of a field in the Elastic Common Schema. */
export function ecsNameOf(name: string, { ecs }: LogField): string {
  return ecs ?? ecsPrefix + name;
}

/** @see https://www.elastic.co/guide/en/ecs/current/ecs-field-reference.html */
function ecsFields(fields: JsonObject): Record<string, unknown> {
  const named: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (name === "err" && isObject(value)) Object.assign(named, ecsError(value));
    else {
      const ecsName = ecsNames.get(name) ?? ecsPrefix + name;
      named[ecsName] = name === "total_ms" && typeof value === "number" ? Math.round(value * nsPerMs) : value;
    }
  }
  return named;
}

/** What `describeError` has left of an error. */
function ecsError(error: JsonObject): Record<string, unknown> {
  const { name, code, at } = error;
  return {
    "error.type": name,
    "error.code": code,
    "error.message": errorText(error),
    "error.stack_trace": Array.isArray(at) ? at.join("\n") : undefined,
  };
}

/** `StoreError unreachable: The store is away. Because of: Error ECONNREFUSED connect`. */
function errorText({ name, code, syscall, message, cause }: JsonObject): string {
  const words = [name, code, syscall].filter((word) => typeof word === "string").join(" ");
  const said = typeof message === "string" ? `${words}: ${message}` : words;
  return isObject(cause) ? `${said} Because of: ${errorText(cause)}` : said;
}

const levelColours: Readonly<Record<string, Parameters<typeof styleText>[0]>> = {
  debug: "dim",
  info: "green",
  warn: "yellow",
  error: "red",
  fatal: ["red", "bold"],
};

/** A line for people: time of day (UTC), level, message, then what else is known, by name. */
function textLine(line: string, colours: boolean): string {
  const fields = parseObject(line);
  if (fields === undefined) return line;
  const { level, time, msg, err, ...others } = fields;
  const name = String(level);
  const word = name.toUpperCase().padEnd(5);
  const style = levelColours[name];
  return [
    String(time).slice("2026-11-24T".length),
    // The stream was judged by whoever chose colours: styleText would read the process's own environment.
    colours && style !== undefined ? styleText(style, word, { validateStream: false }) : word,
    shown(String(msg)),
    ...Object.entries(others).map(([key, value]) => `${key}=${textValue(value)}`),
    ...(isObject(err) ? [`(${shown(errorText(err))})`] : []),
  ]
    .join(" ")
    .concat("\n");
}

const plainWord = /^[\w.:/@+~*{},-]+$/;

function textValue(value: unknown): string {
  if (typeof value !== "string") return shown(inspect(value, { breakLength: Infinity }));
  return plainWord.test(value) ? value : shown(JSON.stringify(value));
}

/** A terminal obeys control characters. */
function shown(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ");
}
