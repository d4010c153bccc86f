package PVE::Multipath::WwidsFile;

# The entries of /etc/multipath/wwids while it is being changed, also by other programs. The file
# can be checked before and after each of many additions: it is only read again if anything else has
# changed than that the added entry was appended.

use v5.36;

use Time::HiRes ();

use PVE::Multipath::File;

use PVE::RS::Multipath::Allowlist;

sub new($class, $path) {
    return bless { path => $path, version => '' }, $class;
}

my sub present_version($self) {
    my ($dev, $inode, $size, $mtime, $ctime) = (Time::HiRes::stat($self->{path}))[0, 1, 7, 9, 10];
    return defined($size) ? ("$dev $inode", $size, "$dev $inode $size $mtime $ctime") : ('', 0, 'none');
}

# Whether the file has an entry of this WWID now.
sub lists($self, $wwid) {
    my ($inode, $size, $version) = present_version($self);
    if ($version ne $self->{version}) {
        my $text = PVE::Multipath::File::read($self->{path}) // '';
        my $wwids = PVE::RS::Multipath::Allowlist::parse_wwids($text);
        $self->{listed} = { map { $_ => 1 } @$wwids };
        $self->@{qw(inode size version)} = ($inode, length($text), $version);
        $self->{'ends-in-line-feed'} = $text =~ m/(?:\A|\n)\z/;
    }
    return $self->{listed}->{$wwid};
}

# To be called after 'multipath -a' for this WWID: if it has just appended the entry, the file need
# not be read again.
sub expect_appended($self, $wwid) {
    my ($inode, $size, $version) = present_version($self);
    my $entry = "/$wwid/\n";
    return if !$self->{'ends-in-line-feed'}
        || $inode ne $self->{inode}
        || $size != $self->{size} + length($entry);

    open(my $fh, '<:raw', $self->{path}) or return;
    seek($fh, $self->{size}, 0) or return;
    return if (readline($fh) // '') ne $entry;
    $self->{listed}->{$wwid} = 1;
    $self->@{qw(size version)} = ($size, $version);
    return;
}

1;
