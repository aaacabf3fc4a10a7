//! Runs seeds on all cores.

fn main() {
    let mut args = std::env::args().skip(1);
    let a: u64 = args.next().unwrap().parse().unwrap();
    let b: u64 = args.next().unwrap().parse().unwrap();
    let verbose = args.next().is_some();
    if verbose {
        tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .without_time()
            .with_max_level(tracing::Level::DEBUG)
            .init();
    }
    let mut c = tools_sim::coverage::Coverage::default();
    for seed in a..b {
        let o = tools_sim::shards::play(seed, verbose);
        c.merge(&o.coverage);
        if let Some(v) = o.violation {
            println!("seed {seed}: {v}");
            std::process::exit(1);
        }
    }
    println!("{c}");
    println!("{:?}", c.shortfalls());
}
