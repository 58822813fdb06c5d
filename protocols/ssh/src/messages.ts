/** Message numbers (RFC 4250 section 4.1.2), and messages put together and read. Does not: act on them. Pure. */

/** Message numbers (RFC 4250 section 4.1.2) that the gateway itself reads or writes. */
export const M = {
  disconnect: 1,
  debug: 4,
  kexInit: 20,
  userauthRequest: 50,
  userauthFailure: 51,
  userauthSuccess: 52,
  userauthBanner: 53,
  /** PK_OK, PASSWD_CHANGEREQ or INFO_REQUEST: depends on the method. */
  userauth60: 60,
  infoResponse: 61,
  globalRequest: 80,
  requestSuccess: 81,
  requestFailure: 82,
  channelOpen: 90,
  openConfirmation: 91,
  openFailure: 92,
  windowAdjust: 93,
  data: 94,
  extendedData: 95,
  eof: 96,
  close: 97,
  channelRequest: 98,
  channelSuccess: 99,
  channelFailure: 100,
} as const;

/** Reasons of SSH_MSG_DISCONNECT (RFC 4253 section 11.1). */
export const Disconnect = {
  protocolError: 2,
  keyExchangeFailed: 3,
  byApplication: 11,
  noMoreAuthMethods: 14,
} as const;

/** Reasons of SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254 section 5.1). */
export const OpenFailure = { prohibited: 1, connectFailed: 2, unknownType: 3, shortage: 4 } as const;

/** The type code of standard error (RFC 4254 section 5.2). */
export const STDERR = 1;
