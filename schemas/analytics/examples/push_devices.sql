-- How many devices of each system are reachable?
SELECT device_os, count(*) AS devices, count(*) FILTER (WHERE attached) AS attached
FROM analytics.push_devices
GROUP BY device_os
ORDER BY device_os
