package PVE::Cluster;

# A double of PVE::Cluster with the functions that are used here, on a folder instead of pmxcfs.

use v5.36;

our $dir;

# The files that it knows; with ours, it is a patched one.
our $observed = {};

our @locked;
our $quorate = 1;

my %files;

sub cfs_register_file($filename, $parser, $writer) {
    $observed->{$filename} || die "unknown file '$filename'";
    die "file '$filename' already registered" if $files{$filename};
    $files{$filename} = { parser => $parser, writer => $writer };
    return;
}

my sub info($filename) {
    return $files{$filename} // die "unknown file type '$filename'\n";
}

# undef if the file does not exist; dies if it cannot be read.
sub cfs_read_file($filename) {
    my $info = info($filename);
    die "ipcc_send_rec[6] failed: Connection refused\n" if !-e "$dir/.version";
    my $raw;
    if (open(my $fh, '<:raw', "$dir/$filename")) {
        $raw = do { local $/ = undef; <$fh> // '' };
    }
    return $info->{parser}->("/etc/pve/$filename", $raw);
}

sub cfs_write_file($filename, $data) {
    my $raw = info($filename)->{writer}->("/etc/pve/$filename", $data);
    PVE::Tools::file_set_contents("$dir/$filename", $raw);
    return;
}

sub cfs_update($fail = 0) {
    return;
}

my %held;

# As there: what the code dies with is in $@, exceptions as they are. A lock that is held is waited for
# until the time-out, also by its holder.
my sub lock($name, $code) {
    push @locked, $name;
    my $trouble = !$quorate ? "no quorum!\n" : $held{$name} ? "got lock request timeout\n" : undef;
    my $res = eval {
        die $trouble if defined($trouble);
        local $held{$name} = 1;
        $code->();
    };
    my $err = $@;
    $err = "cfs-lock '$name' error: $err" if defined($trouble);
    $@ = $err;
    return $err ? undef : $res;
}

sub cfs_lock_file($filename, $timeout, $code) {
    $observed->{$filename} || die "unknown file '$filename'";
    return lock("file-$filename", $code);
}

sub cfs_lock_domain($name, $timeout, $code) {
    return lock("domain-$name", $code);
}

sub get_node_kv($key) {
    return {};
}

sub get_members() {
    return undef;
}

sub get_vmlist() {
    return { ids => {} };
}

sub get_nodelist() {
    return ['pve1', 'pve2'];
}

1;
