/**
 * Frames between client, edge and connector, on one WebSocket a session.
 *
 * A binary message is data: bytes of the carried protocol, at most `MAX_DATA_FRAME` of them.
 * A text message is control: one JSON object with `t`. Data and control keep their order on a socket.
 * Every data byte is paid for with credit that its receiver granted (`Window`), because workerd has no
 * back-pressure of its own.
 */

/** Largest data frame, bytes. */
export const MAX_DATA_FRAME = 64 * 1024;
/** Credit that each receiver grants at the start of a session, bytes. */
export const INITIAL_WINDOW = 1024 * 1024;
/** Largest control message, bytes of UTF-8 (the connector's `opened` carries a catalog). */
export const MAX_CONTROL_FRAME = 1024 * 1024;
/** WebSocket subprotocols. */
export const CLIENT_SUBPROTOCOL = "wicket.pg.v1";
export const CONNECTOR_SUBPROTOCOL = "wicket.connector.v1";
