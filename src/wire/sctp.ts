/** SCTP common header (RFC 9260 section 3.1): ports, verification tag, CRC32c. */
export const SCTP_HEADER_LEN = 12;
export const SCTP_CHECKSUM = 8;
