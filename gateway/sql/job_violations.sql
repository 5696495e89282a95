-- Empty, or something is wrong with a job.
CREATE VIEW job_violations AS
WITH
/* file: all_jobs */,
/* file: job_checks */
