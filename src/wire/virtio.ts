/** Headers that virtio puts in front of frames (linux/virtio_net.h); what is in them, `ports/virtio-header.ts` knows. */

/** Bytes of struct virtio_net_hdr_v1, in front of each frame read from or written to a TAP of ours. */
export const VNET_HEADER_LEN = 12;
/** The same of struct virtio_net_hdr_v1_hash_tunnel, which tunnel offloads need. */
export const VNET_TUNNEL_HEADER_LEN = 24;
