import type { App, AppSetup } from '../app.ts';
import { cancelBatch } from './batches/cancel.ts';
import { listFailures } from './batches/failures.ts';
import { getBatch } from './batches/get.ts';
import { readResults } from './batches/results.ts';
import { retryBatchFailures } from './batches/retry-failed.ts';
import { submitBatch } from './batches/submit.ts';
import { downloadFile } from './files/download.ts';
import { uploadFile } from './files/upload.ts';
import { submitFlow } from './flows/submit.ts';
import { cancelJob } from './jobs/cancel.ts';
import { readEvents } from './jobs/events.ts';
import { getJob } from './jobs/get.ts';
import { listJobs } from './jobs/list.ts';
import { getLog } from './jobs/log.ts';
import { getOutput } from './jobs/output.ts';
import { removeJob } from './jobs/remove.ts';
import { rescheduleJob } from './jobs/reschedule.ts';
import { getResult } from './jobs/result.ts';
import { retryJob } from './jobs/retry.ts';
import { submitJob } from './jobs/submit.ts';
import { clearQueue } from './queues/clear.ts';
import { controlQueue } from './queues/control.ts';
import { limitQueue } from './queues/limits.ts';
import { listQueues } from './queues/list.ts';
import { retryFailed } from './queues/retry-failed.ts';
import { readScaling } from './scaling/read.ts';
import { controlSchedule } from './schedules/control.ts';
import { listSchedules } from './schedules/list.ts';
import { putSchedule } from './schedules/put.ts';
import { health } from './service/health.ts';
import { metrics } from './service/metrics.ts';
import { makeTicket } from './tokens/make-ticket.ts';
import { mintToken } from './tokens/mint.ts';
import { revokeToken } from './tokens/revoke.ts';
import { listTypes } from './types/list.ts';
import { listWorkers } from './workers/list.ts';

export async function registerRoutes(
  app: App,
  { services, statusUrl, config }: Pick<AppSetup, 'services' | 'statusUrl' | 'config'>,
): Promise<void> {
  submitJob(app, services);
  listJobs(app, services);
  getJob(app, services);
  getResult(app, services);
  getLog(app, services);
  getOutput(app, services);
  readEvents(app, { statusUrl });
  cancelJob(app, services);
  retryJob(app, services);
  removeJob(app, services);
  rescheduleJob(app, services);

  await submitBatch(app, services, config.bodyLimitBytes);
  getBatch(app, services);
  listFailures(app, services);
  readResults(app, services);
  cancelBatch(app, services);
  retryBatchFailures(app, services);
  submitFlow(app, services);

  listSchedules(app, services);
  putSchedule(app, services);
  controlSchedule(app, services);

  mintToken(app, services);
  revokeToken(app, services);
  makeTicket(app, services);

  listTypes(app, services);
  listQueues(app, services);
  controlQueue(app, services);
  limitQueue(app, services);
  retryFailed(app, services);
  clearQueue(app, services);
  listWorkers(app, services);
  readScaling(app, services);

  await uploadFile(app, services);
  downloadFile(app, services);

  health(app, services);
  metrics(app, services);
}
