import type { ObjectStore } from '../store/object-store.ts';
import type { ClusterIndex } from './cluster-index.ts';
import type { EventRecorder } from './event-recorder.ts';

/** What every controller works with. */
export interface Context {
  readonly store: ObjectStore;
  readonly index: ClusterIndex;
  readonly events: EventRecorder;
  /** RFC 3339, UTC. */
  readonly now: () => string;
}
