/* Reads a topic to its end with librdkafka and prints what it saw: count, bytes, a sum of CRCs, wall and CPU seconds.
 * consume BROKERS TOPIC PARTITIONS RECORDS MODE, where MODE is "check" (also the sum of CRC-32Cs of the values) or "time".
 * Built by bench/fetch.py. */
#include <librdkafka/rdkafka.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static uint32_t table[256];

static void make_table(void) {
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t crc = n;
        for (int k = 0; k < 8; k++) crc = crc & 1 ? 0x82F63B78u ^ (crc >> 1) : crc >> 1;
        table[n] = crc;
    }
}

static uint32_t crc32c(const uint8_t *data, size_t size) {
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t n = 0; n < size; n++) crc = table[(crc ^ data[n]) & 255] ^ (crc >> 8);
    return crc ^ 0xFFFFFFFFu;
}

static double seconds(const struct timeval *t) { return t->tv_sec + t->tv_usec / 1e6; }

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    char why[512];
    long wanted = atol(argv[4]), count = 0, bytes = 0;
    int check = strcmp(argv[5], "check") == 0;
    uint64_t sum = 0;
    make_table();
    struct timespec began, ended;
    struct rusage before, after;
    clock_gettime(CLOCK_MONOTONIC, &began);
    getrusage(RUSAGE_SELF, &before);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *settings[][2] = {{"bootstrap.servers", argv[1]}, {"group.id", "bench-c"}, {"enable.auto.commit", "false"},
                                 {"check.crcs", "true"}, {"isolation.level", "read_committed"},
                                 {"queued.max.messages.kbytes", "262144"}, {"queued.min.messages", "1000000"}, {"fetch.queue.backoff.ms", "5"}};
    for (size_t n = 0; n < sizeof settings / sizeof *settings; n++)
        if (rd_kafka_conf_set(conf, settings[n][0], settings[n][1], why, sizeof why) != RD_KAFKA_CONF_OK) {
            fprintf(stderr, "%s\n", why);
            return 1;
        }
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    rd_kafka_poll_set_consumer(client);
    rd_kafka_topic_partition_list_t *parts = rd_kafka_topic_partition_list_new(atoi(argv[3]));
    for (int n = 0; n < atoi(argv[3]); n++)
        rd_kafka_topic_partition_list_add(parts, argv[2], n)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(client, parts);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(client);
    rd_kafka_message_t *messages[10000];
    while (count < wanted) {
        /* It waits until it has as many as it was asked for: never more than there are to come. */
        long left = wanted - count;
        ssize_t got = rd_kafka_consume_batch_queue(queue, 30000, messages, left < 10000 ? left : 10000);
        if (got <= 0) return 1;
        for (ssize_t n = 0; n < got; n++) {
            rd_kafka_message_t *message = messages[n];
            if (!message->err) {
                count++;
                bytes += message->len;
                if (check) sum += crc32c(message->payload, message->len);
            }
            rd_kafka_message_destroy(message);
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    getrusage(RUSAGE_SELF, &after);
    double cpu = seconds(&after.ru_utime) + seconds(&after.ru_stime) - seconds(&before.ru_utime) - seconds(&before.ru_stime);
    double wall = ended.tv_sec - began.tv_sec + (ended.tv_nsec - began.tv_nsec) / 1e9;
    printf("{\"count\": %ld, \"bytes\": %ld, \"crc\": %llu, \"wall_s\": %.6f, \"cpu_s\": %.6f, \"version\": \"%s\"}\n", count,
           bytes, (unsigned long long)sum, wall, cpu, rd_kafka_version_str());
    rd_kafka_queue_destroy(queue);
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return 0;
}
