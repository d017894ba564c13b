/**
 * Message types and constants of the PostgreSQL frontend/backend protocol, version 3
 * (PostgreSQL documentation, "Message Formats"). A message is a type byte, a length (int32, counting itself
 * but not the type byte) and a body; start-up packets have no type byte.
 */

/** Types of messages from a client. */
export const Frontend = {
  Bind: 0x42, // B
  Close: 0x43, // C
  CopyData: 0x64, // d
  CopyDone: 0x63, // c
  CopyFail: 0x66, // f
  Describe: 0x44, // D
  Execute: 0x45, // E
  Flush: 0x48, // H
  FunctionCall: 0x46, // F
  Parse: 0x50, // P
  Password: 0x70, // p: also SASL and GSS responses
  Query: 0x51, // Q
  Sync: 0x53, // S
  Terminate: 0x58, // X
} as const;

/** Types of messages from a server. */
export const Backend = {
  Authentication: 0x52, // R
  BackendKeyData: 0x4b, // K
  BindComplete: 0x32, // 2
  CloseComplete: 0x33, // 3
  CommandComplete: 0x43, // C
  CopyBothResponse: 0x57, // W
  CopyData: 0x64, // d
  CopyDone: 0x63, // c
  CopyInResponse: 0x47, // G
  CopyOutResponse: 0x48, // H
  DataRow: 0x44, // D
  EmptyQueryResponse: 0x49, // I
  ErrorResponse: 0x45, // E
  FunctionCallResponse: 0x56, // V
  NegotiateProtocolVersion: 0x76, // v
  NoData: 0x6e, // n
  NoticeResponse: 0x4e, // N
  NotificationResponse: 0x41, // A
  ParameterDescription: 0x74, // t
  ParameterStatus: 0x53, // S
  ParseComplete: 0x31, // 1
  PortalSuspended: 0x73, // s
  ReadyForQuery: 0x5a, // Z
  RowDescription: 0x54, // T
} as const;

/** Bytes before a message's body. */
export const HEADER_SIZE = 5;
/** Largest length field that PostgreSQL itself can mean (MaxAllocSize). */
export const MAX_LENGTH = 0x3fffffff;

/** Transaction status of ReadyForQuery. */
export const TransactionStatus = {
  Idle: 0x49, // I
  InTransaction: 0x54, // T
  Failed: 0x45, // E
} as const;

/**
 * Fields of ErrorResponse and NoticeResponse by their one-letter code ("Error and Notice Message Fields"):
 * S severity, V severity untranslated, C SQLSTATE, M message, D detail, H hint, P position, p internal
 * position, q internal query, W where, s schema, t table, c column, d data type, n constraint, F file,
 * L line, R routine.
 */
export type ErrorFields = Readonly<Record<string, string>>;

/** One column of RowDescription. */
export interface FieldDescription {
  readonly name: string;
  /** 0 when the column is no plain reference to a column of a table. */
  readonly tableOid: number;
  /** pg_attribute.attnum; 0 likewise. */
  readonly columnNumber: number;
  readonly typeOid: number;
  readonly typeSize: number;
  readonly typeModifier: number;
  /** 0 text, 1 binary. */
  readonly format: number;
}

export interface QueryMessage {
  readonly text: string;
}

export interface ParseMessage {
  readonly name: string;
  readonly text: string;
  readonly parameterTypes: readonly number[];
}

export interface BindMessage {
  readonly portal: string;
  readonly statement: string;
  /** 0 (all text), 1 (one for all) or as many as parameters. */
  readonly parameterFormats: readonly number[];
  /** Views of the message; null for NULL. */
  readonly parameters: readonly (Uint8Array | null)[];
  readonly resultFormats: readonly number[];
}

/** Describe or Close. */
export interface TargetMessage {
  /** A prepared statement or a portal. */
  readonly target: "statement" | "portal";
  readonly name: string;
}

export interface ExecuteMessage {
  readonly portal: string;
  /** 0 = no limit. */
  readonly maxRows: number;
}

/**
 * Why a decoder refused a body: its lengths do not add up, a text is not UTF-8, or a text holds a NUL or
 * has bytes behind it.
 */
export type Malformed = "LENGTHS" | "NOT_UTF8" | "EMBEDDED_NUL";

export type Decoded<Message> =
  | { readonly ok: true; readonly message: Message }
  | { readonly ok: false; readonly malformed: Malformed };
