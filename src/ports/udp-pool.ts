/** The sockets that a node's UDP underlay sends from: the outer source port is the only word of a flow that routers see. */
import { SOURCES } from '../encap/outer.ts';
import { setOption } from '../sys/socket.ts';
import { openUdp } from '../sys/udp.ts';

/** The dynamic port range that RFC 7348 section 5 recommends. */
const POOL_PORT_FIRST = 49_152;
const POOL_PORTS = 16_384;
const ATTEMPTS_MAX = 100;

const IPPROTO_IP = 0;
const IP_MTU_DISCOVER = 10;
const IP_PMTUDISC_PROBE = 3;

interface SendSocket {
  readonly fd: number;
  readonly port: number;
}

/**
 * `SOURCES` send-only sockets on free ports; the underlay must not fragment (RFC 7348 section 4.3).
 *
 * @param random 32 random bits.
 * @throws SystemCallError
 */
export function openPool(address: string, random: () => number, sendBufferBytes: number): SendSocket[] {
  const pool: SendSocket[] = [];
  let attempts = 0;
  while (pool.length < SOURCES) {
    const port = POOL_PORT_FIRST + ((random() >>> 0) % POOL_PORTS);
    try {
      const { fd } = openUdp({ address, port, receiveBufferBytes: 0, sendBufferBytes, gro: false });
      setOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
      pool.push({ fd, port });
    } catch (error) {
      if ((error as { code?: string }).code !== 'EADDRINUSE' || ++attempts > ATTEMPTS_MAX) throw error;
    }
  }
  return pool;
}
