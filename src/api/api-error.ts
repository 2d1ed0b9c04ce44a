/** Answers that are errors, as Kubernetes' `Status` objects. */
import { StoreError } from '../store/store-error.ts';

export class ApiError extends Error {
  readonly code: number;
  readonly reason: string;

  constructor(code: number, reason: string, message: string) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.reason = reason;
  }
}

/** meta/v1 Status. */
export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: object;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: object;
  readonly code: number;
}

/** Input that was refused is the user's to mend: the message has all problems, one a line. */
export function failureStatus(error: unknown): Status {
  const { code, reason } = codeAndReason(error);
  const message = error instanceof Error ? error.message : String(error);
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code };
}

function codeAndReason(error: unknown): { code: number; reason: string } {
  if (error instanceof ApiError || error instanceof StoreError) return error;
  if (error instanceof Error && error.name === 'ManifestError') return { code: 422, reason: 'Invalid' };
  if (error instanceof Error && error.name === 'Refusal') return { code: 422, reason: 'Invalid' };
  return { code: 500, reason: 'InternalError' };
}

/** The JSON of a request's body. @throws ApiError */
export function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new ApiError(400, 'BadRequest', 'the body is not JSON');
  }
}
