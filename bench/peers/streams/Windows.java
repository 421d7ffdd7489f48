/* The jobs on Kafka Streams, two threads, exactly once, answers to a topic as JSON. Arguments: BROKERS HOME.
 * Reads lines "job topic out scratch" from standard input, as bench/peers/workers/serve.py does, until there are no more. */

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;

public final class Windows {
    static final Duration GRACE = Duration.ofMinutes(1), SIZE = Duration.ofMinutes(30), HOP = Duration.ofMinutes(5), GAP = Duration.ofSeconds(30);
    static final int PARTITIONS = 4;

    /** What the windows need of a record. */
    @JsonIgnoreProperties(ignoreUnknown = true)
    public record Reading(String sensor, double value, long ts) {}

    /** A record whole. */
    public record Telegram(long id, String plant, String line, String sensor, double value, String unit, long quality, boolean ok, long ts) {}

    /** A row of the answer. */
    public record Row(String sensor, long window_start, long window_end, long n, double total, double low, double high) {}

    /** Four measures, 32 bytes in a store. */
    record Measures(long n, double total, double low, double high) {
        static final Measures NONE = new Measures(0, 0, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY);

        Measures with(double value) {
            return new Measures(n + 1, total + value, Math.min(low, value), Math.max(high, value));
        }

        Measures and(Measures other) {
            return new Measures(n + other.n, total + other.total, Math.min(low, other.low), Math.max(high, other.high));
        }

        byte[] bytes() {
            return ByteBuffer.allocate(32).putLong(n).putDouble(total).putDouble(low).putDouble(high).array();
        }

        static Measures of(byte[] bytes) {
            ByteBuffer from = ByteBuffer.wrap(bytes);
            return new Measures(from.getLong(), from.getDouble(), from.getDouble(), from.getDouble());
        }
    }

    static final Serde<Measures> MEASURES = serde((topic, each) -> each == null ? null : each.bytes(), (topic, bytes) -> bytes == null ? null : Measures.of(bytes));

    static <T> Serde<T> serde(Serializer<T> to, Deserializer<T> from) {
        return Serdes.serdeFrom(to, from);
    }

    static <T> Serde<T> json(Class<T> type) {
        ObjectMapper mapper = new ObjectMapper();
        ObjectReader reader = mapper.readerFor(type);
        ObjectWriter writer = mapper.writerFor(type);
        return serde(
            (topic, each) -> {
                try {
                    return writer.writeValueAsBytes(each);
                } catch (IOException error) {
                    throw new UncheckedIOException(error);
                }
            },
            (topic, bytes) -> {
                try {
                    return bytes == null ? null : reader.readValue(bytes);
                } catch (IOException error) {
                    throw new UncheckedIOException(error);
                }
            });
    }

    static StreamsBuilder topology(String job, String topic, String out) {
        StreamsBuilder builder = new StreamsBuilder();
        if (job.equals("raw")) {
            builder.stream(topic, Consumed.with(Serdes.String(), json(Telegram.class))).to(out, Produced.with(Serdes.String(), json(Telegram.class)));
            return builder;
        }
        Consumed<String, Reading> read = Consumed.with(Serdes.String(), json(Reading.class))
            .withTimestampExtractor((each, partitionTime) -> ((Reading) each.value()).ts());
        KGroupedStream<String, Reading> grouped = builder.stream(topic, read).groupByKey(Grouped.with(Serdes.String(), json(Reading.class)));
        KTable<Windowed<String>, Measures> windows;
        long after = job.equals("session") ? GAP.toMillis() : 0; // a session of Kafka Streams ends with its last record
        if (job.equals("session")) {
            windows = grouped.windowedBy(SessionWindows.ofInactivityGapAndGrace(GAP, GRACE)).aggregate(
                () -> Measures.NONE, (key, each, sum) -> sum.with(each.value()), (key, left, right) -> left.and(right),
                Materialized.with(Serdes.String(), MEASURES));
        } else {
            TimeWindows kind = TimeWindows.ofSizeAndGrace(SIZE, GRACE);
            windows = grouped.windowedBy(job.equals("hopping") ? kind.advanceBy(HOP) : kind).aggregate(
                () -> Measures.NONE, (key, each, sum) -> sum.with(each.value()), Materialized.with(Serdes.String(), MEASURES));
        }
        windows.suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded())).toStream()
            .map((key, each) -> KeyValue.pair(key.key(), new Row(key.key(), key.window().start(), key.window().end() + after, each.n(), each.total(), each.low(), each.high())))
            .to(out, Produced.with(Serdes.String(), json(Row.class)));
        return builder;
    }

    static Properties settings(String brokers, String name, String scratch) {
        Properties found = new Properties();
        Map<String, Object> ours = new HashMap<>();
        ours.put(StreamsConfig.APPLICATION_ID_CONFIG, name);
        ours.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
        ours.put(StreamsConfig.STATE_DIR_CONFIG, scratch);
        ours.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        ours.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        ours.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        ours.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
        ours.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG, BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers.class);
        ours.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        ours.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        ours.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
        ours.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 8 << 20);
        ours.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 50);
        ours.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 512 << 10);
        ours.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        found.putAll(ours);
        return found;
    }

    /** Run until the group has committed the ends that the topic had; with exactly-once its results are committed with them. */
    static void run(String brokers, String job, String topic, String out, String scratch) throws Exception {
        String name = "peers-" + UUID.randomUUID();
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", brokers));
                KafkaStreams streams = new KafkaStreams(topology(job, topic, out).build(), settings(brokers, name, scratch))) {
            Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
            for (int each = 0; each < PARTITIONS; each++) asked.put(new TopicPartition(topic, each), OffsetSpec.latest());
            Map<TopicPartition, Long> ends = admin.listOffsets(asked).all().get().entrySet().stream()
                .collect(Collectors.toMap(Map.Entry::getKey, each -> each.getValue().offset()));
            streams.start();
            while (true) {
                Thread.sleep(50);
                if (streams.state() == KafkaStreams.State.ERROR) throw new IllegalStateException("the application failed");
                var committed = admin.listConsumerGroupOffsets(name).partitionsToOffsetAndMetadata().get();
                if (ends.entrySet().stream().allMatch(each -> committed.get(each.getKey()) != null && committed.get(each.getKey()).offset() >= each.getValue())) break;
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader told = new BufferedReader(new InputStreamReader(System.in));
        System.out.println("ready");
        for (String line = told.readLine(); line != null; line = told.readLine()) {
            String[] parts = line.split(" ");
            run(arguments[0], parts[0], parts[1], parts[2], parts[3]);
            System.out.println("done");
        }
        System.exit(0);
    }
}
