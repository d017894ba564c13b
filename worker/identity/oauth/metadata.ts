/** What the edge says of itself as authorization server (RFC 8414) and resource server (RFC 9728). */
import type { Bundle } from "../../../policies/task.ts";

export const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
export const DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code";
/** draft-ietf-oauth-deferred-token-response. */
export const DEFERRED = "urn:ietf:params:oauth:grant-type:deferred";
export const ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token";
export const SUBJECT_TOKEN_TYPES = [
  "urn:ietf:params:oauth:token-type:id_token",
  "urn:ietf:params:oauth:token-type:jwt",
  ACCESS_TOKEN_TYPE,
];

/** RFC 8414, section 2. */
export function serverMetadata(origin: string): Record<string, unknown> {
  return {
    issuer: origin,
    authorization_endpoint: `${origin}/oauth2/authorize`,
    token_endpoint: `${origin}/oauth2/token`,
    device_authorization_endpoint: `${origin}/oauth2/device_authorization`,
    revocation_endpoint: `${origin}/oauth2/revoke`,
    introspection_endpoint: `${origin}/oauth2/introspect`,
    jwks_uri: `${origin}/oauth2/jwks`,
    response_types_supported: ["code"],
    response_modes_supported: ["query"],
    grant_types_supported: ["authorization_code", "refresh_token", TOKEN_EXCHANGE, DEVICE_CODE, DEFERRED],
    code_challenge_methods_supported: ["S256"],
    token_endpoint_auth_methods_supported: ["none"],
    revocation_endpoint_auth_methods_supported: ["none"],
    authorization_details_types_supported: ["task"],
    authorization_response_iss_parameter_supported: true,
    deferred_token_response_supported: true,
    scopes_supported: [],
    service_documentation: `${origin}/`,
  };
}

/** RFC 9728, section 2: for the edge itself, or for one resource. */
export function resourceMetadata(origin: string, resource: string | null): Record<string, unknown> {
  return {
    resource: resource === null ? origin : `${origin}/db/${resource}`,
    authorization_servers: [origin],
    jwks_uri: `${origin}/oauth2/jwks`,
    bearer_methods_supported: ["header"],
    authorization_details_types_supported: ["task"],
    resource_name: resource ?? "Wicketgate",
  };
}

/** JSON Schema of the `task` authorization detail, with the tasks of the deployment as names. */
export function detailTypes(bundle: Bundle): Record<string, unknown> {
  return {
    task: {
      type: "object",
      required: ["type", "task"],
      additionalProperties: false,
      properties: {
        type: { const: "task" },
        task: { enum: Object.keys(bundle.tasks).sort() },
        params: { type: "object", additionalProperties: { type: ["string", "number", "boolean"] } },
        reason: { type: "string", maxLength: 1000 },
        description: { type: "string", maxLength: 2000 },
        lifetime: { type: "integer", minimum: 1, description: "seconds" },
        sessions: { type: "integer", minimum: 1 },
      },
    },
  };
}
