/** Audit events in the shapes that other systems read: CloudEvents 1.0 (JSON) and OCSF 1.x. One line each. */
import type { AuditEvent, Severity } from "./events.ts";

export const EXPORT_FORMATS = ["ndjson", "cloudevents", "ocsf"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** One event in `format`; `origin` names the edge. */
export function exportEvent(event: AuditEvent, format: ExportFormat, origin: string): unknown {
  if (format === "cloudevents") return cloudEvent(event, origin);
  return format === "ocsf" ? ocsfEvent(event, origin) : event;
}

/** CloudEvents 1.0, structured JSON: the whole event is `data`. */
function cloudEvent(event: AuditEvent, origin: string): unknown {
  return {
    specversion: "1.0",
    id: event.id,
    source: origin,
    type: `wicketgate.${event.type}`,
    time: new Date(event.time).toISOString(),
    ...(event.session || event.grant ? { subject: event.session ?? event.grant } : {}),
    datacontenttype: "application/json",
    data: event,
  };
}

const SEVERITY: Record<Severity, { severity_id: number; severity: string }> = {
  info: { severity_id: 1, severity: "Informational" },
  warn: { severity_id: 3, severity: "Medium" },
  alarm: { severity_id: 5, severity: "Critical" },
};

interface OcsfClass {
  readonly class_uid: number;
  readonly category_uid: number;
  readonly activity_id: number;
}

/** OCSF class and activity by type; anything else is Entity Management, Other. */
function ocsfClass(type: AuditEvent["type"]): OcsfClass {
  if (type === "auth.logout") return { class_uid: 3002, category_uid: 3, activity_id: 2 };
  if (type.startsWith("auth.")) return { class_uid: 3002, category_uid: 3, activity_id: 1 };
  if (type.startsWith("grant.") || type.startsWith("token.")) {
    return { class_uid: 3003, category_uid: 3, activity_id: type === "grant.active" ? 1 : 99 };
  }
  if (type === "statement.decided") return { class_uid: 6005, category_uid: 6, activity_id: 4 };
  if (type.startsWith("session."))
    return { class_uid: 6005, category_uid: 6, activity_id: type === "session.start" ? 3 : 99 };
  return { class_uid: 3004, category_uid: 3, activity_id: 99 };
}

/** OCSF 1.x: the common attributes, the actor, and the event itself under `unmapped`. */
function ocsfEvent(event: AuditEvent, origin: string): unknown {
  const kind = ocsfClass(event.type);
  return {
    ...kind,
    type_uid: kind.class_uid * 100 + kind.activity_id,
    time: event.time,
    ...SEVERITY[event.severity],
    status_id: event.severity === "info" ? 1 : 2,
    ...(event.reason ? { status_code: event.reason } : {}),
    metadata: {
      version: "1.5.0",
      uid: event.id,
      product: { name: "Wicketgate", vendor_name: "Wicketgate" },
      log_provider: origin,
    },
    ...(event.actor
      ? {
          actor: {
            user: {
              uid: event.actor.subject,
              name: event.actor.name ?? event.actor.subject,
              domain: event.actor.issuer,
            },
            ...(event.session ? { session: { uid: event.session } } : {}),
          },
        }
      : {}),
    ...(event.client?.ip ? { src_endpoint: { ip: event.client.ip } } : {}),
    ...(event.resource ? { database: { name: event.resource, type_id: 1 } } : {}),
    ...(event.task
      ? { policy: { name: event.task, ...(event.taskDigest ? { uid: event.taskDigest } : {}) } }
      : {}),
    unmapped: { type: event.type, grant: event.grant, rule: event.rule, data: event.data },
  };
}
