// Produces the lines of its standard input with Java's own producer: java -cp 'lib/*' Pack.java BOOTSTRAP TOPIC CODEC
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

public class Pack {
    public static void main(String[] told) throws Exception {
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", told[0], "compression.type", told[2], "batch.size", 40000, "linger.ms", 50);
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
             var lines = new BufferedReader(new InputStreamReader(System.in, "UTF-8"))) {
            for (String line; (line = lines.readLine()) != null; ) {
                producer.send(new ProducerRecord<>(told[1], line));
            }
        }
    }
}
